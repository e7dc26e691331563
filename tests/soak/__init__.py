# SPDX-License-Identifier: Apache-2.0
"""Does everything stay well for hours, with faults on both sides and restarts?

``S3GATEWAY_SOAK`` says for how many minutes, 10 by default::

    make test-full PART=soak
    S3GATEWAY_SOAK=120 make test-full PART=soak

``S3GATEWAY_SOAK_OUTPUT`` names a directory for the summary, and for what Prometheus has
seen (``docs/dashboard.py`` draws it).  ``S3GATEWAY_SEED`` chooses other faults.
"""
