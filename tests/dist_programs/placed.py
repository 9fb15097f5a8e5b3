"""A worker that says where it runs."""

import os

import mxcy as mx

store = mx.kv.create("dist_sync")
out = mx.nd.zeros(2)
store.init("w", out)
store.pushpull("w", mx.nd.ones(2) * (store.rank + 1), out=out)
machine, summed = store._session.machine, store._session.aggregated
line = f"{store.rank} {machine} {summed} {out.asnumpy().tolist()} {os.environ['GIVEN']} {os.getcwd()}\n"
os.write(1, line.encode())
os.write(2, b"on stderr\n")
