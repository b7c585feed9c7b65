"""The local store: a spool that survives anything, folded into SQLite; and questions to it.

Writing: :class:`Spool`. Reading: :func:`fold`, then :func:`reading` and the functions of ``query`` and ``listing``.
"""
