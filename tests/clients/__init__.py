# SPDX-License-Identifier: Apache-2.0
"""Real clients, as they come from PyPI, against the stand-alone gateway with Keystone.

``nova_service`` and ``cinder_service`` are programs that run in an environment with
those services and call their own image code.
"""
