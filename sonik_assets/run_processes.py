"""Runs that live in a command's own process (`sonik demo`, `sonik run`), and what they leave when it is killed.

Dagster's monitoring watches runs that its launchers started. One in our process that dies by kill -9 would stay
"started" for ever and hold its pool slots, so the next run would wait for it without end.
"""

import socket

import dagster as dg
import psutil

TAG = "sonik/process"


def tags() -> dict[str, str]:
    """Return the tag that names this process: its host, pid and start (a pid is used again, with another start).

    No retry by the daemon: it would copy the tag to a run that is not in this process.
    """
    this = psutil.Process()
    return {TAG: f"{socket.gethostname()}/{this.pid}/{this.create_time()}", "dagster/max_retries": "0"}


def bury_dead(instance: dg.DagsterInstance, *, launched: bool = False) -> list[str]:
    """Mark runs of dead processes of this host as failed, free their pool slots, and return their ids.

    `launched`: also every unfinished run that Dagster itself started; for the moment before its daemon starts, when
    none of them can be alive.
    """
    unfinished = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    runs = instance.get_runs(dg.RunsFilter(statuses=unfinished))
    dead = [run for run in runs if (not _alive(run.tags[TAG]) if TAG in run.tags else launched)]
    for run in dead:
        instance.report_run_failed(run, "its process is gone: it was killed, or the machine restarted")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return [run.run_id for run in dead]


def _alive(tag: str) -> bool:
    host, pid, start = tag.rsplit("/", 2)
    if host != socket.gethostname():
        return True  # not ours to judge
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(start)) < 1
    except psutil.NoSuchProcess:
        return False
