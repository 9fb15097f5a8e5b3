"""Four workers on two Ray nodes of this machine: each node adds up its workers before anything is sent."""

import os

from ray.cluster_utils import Cluster
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from mxcy.kvstore.dist import Options, start_job
from mxcy.kvstore.dist.cluster import ray_module

ray = ray_module()
head = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args=head)
cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR", namespace="mxcy-kvstore")
nodes = [node["NodeID"] for node in ray.nodes()]


@ray.remote(num_cpus=0)
def worker():
    import mxcy as mx

    store = mx.kv.create("dist_sync", job="two-nodes")
    big = mx.nd.zeros(2_000_000)
    store.init(["small", "big"], [mx.nd.zeros(3), big])
    small = mx.nd.zeros(3)
    for _ in range(3):
        gradients = [mx.nd.ones(3) * (store.rank + 1), mx.nd.ones(2_000_000)]
        store.pushpull(["small", "big"], gradients, out=[small, big])
        assert (small.asnumpy() == 10).all()
        assert (big.asnumpy() == 4).all()
    store.close()
    return store._session.aggregated


running = start_job(Options(workers=4, servers=2), name="two-nodes")
try:
    placed = [NodeAffinitySchedulingStrategy(nodes[i // 2], soft=False) for i in range(4)]
    results = [worker.options(scheduling_strategy=strategy).remote() for strategy in placed]
    assert all(ray.get(results, timeout=250))
    assert len(running.job.aggregators) == 2
    print("done", os.getpid())
finally:
    running.close()
    ray.shutdown()
    cluster.shutdown()
