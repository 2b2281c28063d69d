"""The books for other people's programs: beancount, hledger, GnuCash, QuickBooks, tables.

Each is one format behind one Protocol. They are given valued postings in their order and write them as
they come, so that an export of any length takes the memory of a page.
"""
