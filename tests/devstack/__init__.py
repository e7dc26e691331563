# SPDX-License-Identifier: Apache-2.0
"""Does the DevStack plugin do its work in each phase?"""
