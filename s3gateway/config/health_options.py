# SPDX-License-Identifier: Apache-2.0
"""The options of the health check, part of ``[s3gateway]``; only declarations."""

from __future__ import annotations

from oslo_config import cfg

HEALTH_OPTS = [
    cfg.StrOpt(
        "ready_when",
        default="any",
        choices=["any", "all"],
        help="""
Which stores must answer for the health check to call the gateway ready.

With ``any`` a gateway that has lost one of its stores goes on serving the others;
``all`` takes it out of its load balancer, and every other gateway with it if the
store itself is down.
""",
    ),
    cfg.FloatOpt(
        "health_interval",
        default=5.0,
        min=0.0,
        help="""
How often each process asks the stores, in seconds, once its health was checked.

A health check is answered from memory; 0 asks the stores for each one.
""",
    ),
    cfg.FloatOpt(
        "health_timeout",
        default=3.0,
        min=0.1,
        help="How long a store may take to answer the health check, in seconds.",
    ),
    cfg.IntOpt(
        "health_fall",
        default=3,
        min=1,
        help="How many times in a row a store must fail to count as down.",
    ),
    cfg.IntOpt(
        "health_rise",
        default=2,
        min=1,
        help="How many times in a row a store that is down must answer to be up.",
    ),
]
