# SPDX-License-Identifier: BSD-2-Clause
"""Ports for programs that cannot be told to let the system pick one."""
import socket


def hold_port(host="127.0.0.1"):
    """A socket that has a port and does not listen: nobody gets that port by chance.

    A program that sets SO_REUSEADDR, as servers do, can listen there all the same."""
    held = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((host, 0))
    return held
