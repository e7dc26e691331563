# SPDX-License-Identifier: Apache-2.0
"""Does the gateway work with real servers, as a filter and stand-alone?"""
