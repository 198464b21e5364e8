"""Bytes that pass through: whoever takes a `Buffer` looks at it or hands it on, and copies no more than it needs."""

Buffer = bytes | bytearray | memoryview
