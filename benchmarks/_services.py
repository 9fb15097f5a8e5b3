"""The servers and the coordinator of a job on one host, until the input ends: scalability.py starts it.

    _services.py OPTIONS TICKET ADDRESS    writes the coordinator's endpoint
"""

import json
import sys

from mxcy.kvstore.dist.arena import memory, remove_job
from mxcy.kvstore.dist.membership import Membership, Options
from mxcy.kvstore.dist.service import Service, Ticket
from mxcy.kvstore.dist.shard import Shard

options, ticket, address = Options.of(json.loads(sys.argv[1])), Ticket.of(sys.argv[2]), sys.argv[3]
servers = [
    Service(Shard(f"mxcy-{ticket.job}-s{i}", 2 * options.workers), ticket, address, memory()).start()
    for i in range(options.servers)
]
endpoints = {i: server.endpoint for i, server in enumerate(servers)}
coordinator = Service(Membership(options, endpoints), ticket, address).start()
print(coordinator.endpoint, flush=True)
sys.stdin.read()
for one in [coordinator, *servers]:
    one.stop()
remove_job(ticket.job)
