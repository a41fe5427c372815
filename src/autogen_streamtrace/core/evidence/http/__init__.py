"""Reads an HTTP exchange beside its body: headers, connection, who closed it, whose refusal it is."""
