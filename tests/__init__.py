"""
feedd's tests: `unit` opens no socket, `contracts` holds one suite per port, `live` uses real
servers.
"""
