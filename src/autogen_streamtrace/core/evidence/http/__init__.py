"""Reads an HTTP exchange beside its body: its headers, its connection, which side closed it, which party refused."""
