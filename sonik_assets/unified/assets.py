"""dbt models as assets, in four parts: a failing mart must not stop the graph, nor a failing view the marts' owner.

Analyses read whole histories, and nobody acts on them within minutes: they are made at most once an hour.

`ops/claims` and `ops/edits` are here too: the logs that claim states are read from, and corrections by people.
"""

import importlib.metadata
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtCliResource, dbt_assets
from packaging.version import Version

from resources.dagster import Stores
from sonik_assets.automation import follow, follow_hourly, version
from sonik_assets.unified import claim_files
from sonik_assets.unified.claims import expire_old
from sonik_assets.unified.dbt import BUILD, EXECUTABLE, PROJECT, fingerprint, keep_parse, manifest, point_at
from sonik_assets.unified.telling import told, told_before
from sonik_assets.unified.views import leave_alone, remember, standing, views_of

ANALYSIS = "analysis"
"""The folder of marts that are made once an hour."""
VIEWS = views_of(json.loads(manifest().read_bytes()))
"""The project's views, and the views that each reads."""


class Translator(DagsterDbtTranslator):
    """Names dbt's models as the platform does: the schema is the group, the data team the owner."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """Return the model's folder: staging, unified or marts."""
        return str(dbt_resource_props["fqn"][1])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:  # noqa: ARG002 - dagster's signature
        """Return the data team."""
        return ["team:data"]

    def get_automation_condition(self, dbt_resource_props: Mapping[str, Any]) -> Any:
        """Return when a model is built. Views too are asked for: their tests are run again over what is new."""
        return follow_hourly() if dbt_resource_props["fqn"][2] == ANALYSIS else follow()


class Dbt(DbtCliResource):
    """dbt, without what dagster-dbt does before each run's first build, and nobody here needs.

    Its version is asked of a process that also asks the package index for newer ones (3 s). An adapter in this process
    (2 s) would fetch rows and columns, which are told otherwise (`telling.py`); dagster-dbt does without where there is
    none.
    """

    @cached_property
    def _cli_version(self) -> Version:
        return Version(importlib.metadata.version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> Any:  # noqa: ARG002 - dagster-dbt's signature
        return None


def dbt_part(name: str, select: str, exclude: str = "") -> dg.AssetsDefinition:
    """Return the assets of one folder of models, run by one `dbt build` that leaves alone the views that stand."""

    @dbt_assets(
        name=f"dbt_{name}",
        manifest=manifest(),
        select=select,
        exclude=exclude,
        dagster_dbt_translator=Translator(DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True)),
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="dbt",
    )
    def build(context: dg.AssetExecutionContext, stores: Stores, dbt: Dbt) -> Iterator[Any]:
        home = stores.settings().home
        point_at(stores.endpoints().postgres, home)
        with stores.postgres() as connection:
            connection.autocommit = True  # each look sees what dbt has just committed
            project = fingerprint()
            keys = {view: key for key in context.selected_asset_keys if (view := ".".join(key.path)) in VIEWS}
            before = told_before(context, keys.values())
            untold = [view for view, key in keys.items() if key not in before]
            stand = standing(connection, {view: VIEWS[view] for view in keys}, project, again=untold)
            alone = {keys[view]: before[keys[view]] for view in stand}
            tests = [check.name for check in context.selected_asset_check_keys]
            if len(alone) == len(context.selected_asset_keys) and not tests:
                yield from told(context, None, (), connection, alone)
                return
            invocation = dbt.cli([*BUILD, *leave_alone(stand, tests)], context=context)
            yield from told(context, invocation, invocation.stream(), connection, alone)
            if fingerprint() == project:  # else nobody knows which text dbt has read
                remember(connection, keys.keys() - stand, project)
        keep_parse(invocation.target_path, home)  # a failed build keeps its files: its log says why

    return build


@dg.asset(
    key=["ops", "claims"],
    deps=[["staging", "stg_sonik__claims"]],
    group_name="unified",
    owners=["team:data"],
    kinds={"postgres"},
    description="The append-only log of claims: who asked for which entity, and what became of it.",
    automation_condition=follow(),
)
def claims(context: dg.AssetExecutionContext, stores: Stores) -> dg.MaterializeResult[Any]:
    """Append the claims that are not in the log yet; end the requests that nobody verified in time."""
    started = time.monotonic()
    with stores.postgres() as connection:
        written, refused = claim_files.append(connection, context.run_id)
        expired = expire_old(connection)
        (read,) = connection.execute("select count(*) from staging.stg_sonik__claims").fetchone() or (0,)
    counts = {"rows_in": read, "rows_out": written + expired, "rows_rejected": refused, "expired": expired}
    return dg.MaterializeResult(
        metadata={**counts, "seconds": round(time.monotonic() - started, 3)},
        data_version=version(context, context.asset_key, changed=written + expired > 0),
    )


# Written by people between runs, never by one.
EDITS = dg.AssetSpec(
    ["ops", "edits"],
    group_name="unified",
    owners=["team:data"],
    kinds={"postgres"},
    description="The append-only log of corrections by staff, claimants and owners: `sonik entity edit` writes it.",
)

STAGING, UNIFIED = dbt_part("staging", "fqn:sonik.staging"), dbt_part("unified", "fqn:sonik.unified")
MARTS = dbt_part("marts", "fqn:sonik.marts", exclude=f"fqn:sonik.marts.{ANALYSIS}")
ANALYSES = dbt_part("analyses", f"fqn:sonik.marts.{ANALYSIS}")
ASSETS = [STAGING, claims, EDITS, UNIFIED, MARTS, ANALYSES]
RESOURCES = {"dbt": Dbt(project_dir=str(PROJECT), profiles_dir=str(PROJECT), dbt_executable=EXECUTABLE)}
