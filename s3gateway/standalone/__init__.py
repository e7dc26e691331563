# SPDX-License-Identifier: Apache-2.0
"""The stand-alone gateway: in front of a remote Glance."""
