# SPDX-License-Identifier: Apache-2.0
"""The users of the tests: tokens that the stand-in for Keystone accepts."""

from tests.support.servers.identity import token

ALICE = token("alice", "acme", "member", "reader")
BOB = token("bob", "globex", "member", "reader")
ADMIN = token("root", "admin", "admin", "member", "reader")
SERVICE = token("nova", "service", "service", "admin", "member", "reader")
