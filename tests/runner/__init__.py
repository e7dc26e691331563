# SPDX-License-Identifier: Apache-2.0
"""Runs a tier of the tests in parts, some at once, and ends with a table.

``make test`` and ``make test-full`` call it; by hand, for some parts alone::

    python -m tests.runner full faults tempest
"""
