# SPDX-License-Identifier: Apache-2.0
"""Does each module of the face do what it says, without a server?"""
