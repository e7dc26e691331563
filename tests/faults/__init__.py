# SPDX-License-Identifier: Apache-2.0
"""Does an upload or a download end well whatever goes wrong on the way?"""
