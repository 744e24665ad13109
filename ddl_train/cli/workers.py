"""What a person is told of the cluster whose workers dream and judge."""

from ddl_train.config import Config


def check_workers(config: Config) -> list[str]:
    """Say what workers are for, in a sentence, where there are any; no cluster is reached.

    Raises:
        ResourceError: the `ray` extra is not installed.
    """
    workers = config.wake.workers
    if workers is None:
        return []
    from ddl_train.engines.ray_cluster import check_ray

    check_ray()
    return [
        f"wake.workers: a Ray cluster ({workers.address}) does in wake what the base would here"
    ]


def count_workers(config: Config) -> list[str]:
    """Reach the cluster and say how many workers there would be; none is started.

    Raises:
        ResourceError: the `ray` extra is not installed.
        WorkerError: the cluster cannot be joined, or has no room for so many.
    """
    workers = config.wake.workers
    if workers is None:
        return []
    from ddl_train.engines.ray_cluster import Cluster

    with Cluster(workers) as cluster:
        return [f"wake.workers: {cluster.room(config.model).words()}"]
