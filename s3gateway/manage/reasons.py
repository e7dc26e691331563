# SPDX-License-Identifier: Apache-2.0
"""Reasons why ``gc`` leaves something alone: for people, and as codes."""

#: Why something is left alone.
NAMELESS = "of no Glance that they name"
FOREIGN = "of another Glance"
#: The same, of what may be collected all the same if the operator says so.
NEWER = "newer than the last change in Glance's database"
UNHEARD_OF = "of images that Glance's database has never had"
DOUBTFUL = (NEWER, UNHEARD_OF)
#: The same, of what does not let itself be looked at.
UNREADABLE = "that cannot be read"
#: How results call these reasons; that does not change.
SPARED = {
    NAMELESS: "nameless",
    FOREIGN: "foreign",
    NEWER: "newer",
    UNHEARD_OF: "unheard_of",
    UNREADABLE: "unreadable",
}
