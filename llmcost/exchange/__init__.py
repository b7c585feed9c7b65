"""The call itself: from a request on its way out to a finished record, with nothing changed on the wire."""
