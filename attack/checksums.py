"""Checksums of packets that are made by hand."""


def crc32c(data):
    """RFC 9260, appendix A."""
    register = 0xffffffff
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82f63b78 if register & 1 else 0)
    return register ^ 0xffffffff
