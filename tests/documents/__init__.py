# SPDX-License-Identifier: Apache-2.0
"""Do the documents that this project starts from come out as they say?

Each module follows one document in the document's own order, with its configuration
and its commands.  Its tests are the steps; they run in the order of the file.
"""
