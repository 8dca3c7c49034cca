"""Stage 3, unified: the dbt models as Dagster assets, from the staging views to the marts."""
