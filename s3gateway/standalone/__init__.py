# SPDX-License-Identifier: Apache-2.0
"""The stand-alone gateway, which stands in front of a remote Glance."""
