"""Pickles that would do harm to whoever loads them, written opcode by opcode."""

from __future__ import annotations

RUN = b"touch canary"
"""What those that run something would run."""

CALL = b"open('canary', 'w')"
ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
"""An array that has no numbers yet."""

TEXT = b"V%s\n"
DEEP = 200_000


def short(text):
    """Return a text as protocol 4 writes it."""
    return b"\x8c" + bytes([len(text)]) + text


def dtype(code=b"u1", order=b"|", state=b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00"):
    """Return the type of an array, built."""
    return b"cnumpy\ndtype\n" + short(code) + b"\x89\x88\x87R(K\x03" + short(order) + state + b"tb"


def array(shape=b"K\x03\x85", numbers=b"C\x03abc", kind=None, name=ARRAY):
    """Return a pickle of an array; of three bytes unless told otherwise."""
    return name + b"(K\x01" + shape + (dtype() if kind is None else kind) + b"\x89" + numbers + b"tb."


ATTACKS = {
    "system, protocol 0": b"cos\nsystem\n(S'" + RUN + b"'\ntR.",
    "eval, protocol 0": b"c__builtin__\neval\n(V" + CALL + b"\ntR.",
    "system, protocol 4": b"\x80\x04" + short(b"os") + short(b"system") + b"\x93" + short(RUN) + b"\x85R.",
    "eval, protocol 4": b"\x80\x04" + short(b"builtins") + short(b"eval") + b"\x93" + short(CALL) + b"\x85R.",
    "getattr": b"cbuiltins\ngetattr\n(cos\nsystem\nV__call__\ntR.",
    "INST": b"(S'" + RUN + b"'\nios\nsystem\n.",
    "OBJ": b"(cos\nsystem\nS'" + RUN + b"'\no.",
    "NEWOBJ": b"\x80\x02cos\nsystem\n" + short(RUN) + b"\x85\x81.",
    "NEWOBJ_EX": b"\x80\x04cos\nsystem\n" + short(RUN) + b"\x85}\x92.",
    "dotted name": b"\x80\x04" + short(b"os") + short(b"path.os.system") + b"\x93" + short(RUN) + b"\x85R.",
    "name out of numbers": b"\x80\x04K\x01K\x02\x93.",
    "EXT1": b"\x80\x02\x82\x01.",
    "EXT2": b"\x80\x02\x83\x01\x00.",
    "EXT4": b"\x80\x02\x84\x01\x00\x00\x00.",
    "PERSID": b"Pcanary\n.",
    "BINPERSID": b"Vcanary\nQ.",
    "reader of files": b"cnumpy.core.multiarray\nfromfile\n(Vcanary\ntR.",
    "buffer of protocol 5": b"\x80\x05cnumpy.core.numeric\n_frombuffer\n.",
    "buffer beside the file": b"\x80\x05\x97.",
    "bytearray": b"\x80\x05\x96\x01\x00\x00\x00\x00\x00\x00\x00a.",
    "object array": array(kind=dtype(b"O8")),
    "structured array": array(kind=dtype(b"V3")),
    "complex array": array(kind=dtype(b"c8", b"<")),
    "array of times": array(kind=dtype(b"M8", b"<")),
    "array of texts": array(kind=dtype(b"U1", b"<")),
    "type with fields": array(kind=dtype(state=b"NVa\n\x85}J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00")),
    "type with more state": array(kind=dtype(state=b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00}")),
    "type without state": array(kind=b"cnumpy\ndtype\n" + short(b"u1") + b"\x89\x88\x87R"),
    "type built twice": dtype() + dtype().partition(b"R")[2] + b".",
    "type called with a list": b"cnumpy\ndtype\n]\x89\x88\x87R.",
    "masked array": array(name=b"cnumpy.ma.core\n_mareconstruct\n)R"),
    "array of another class": b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nmatrix\nK\x00\x85C\x01b\x87R.",
    "array without numbers": ARRAY + b".",
    "array built twice": array()[:-1] + array()[len(ARRAY) :],
    "array in a list": b"]" + array()[:-1] + b"a.",
    "array in a tuple": array()[:-1] + b"\x85.",
    "BUILD on a dictionary": b"}}Va\nI1\nsb.",
    "BUILD on a name": b"cnumpy\nndarray\n}Va\nI1\nsb.",
    "BUILD on nothing": b"}b.",
    "name alone": b"cnumpy\nndarray\n.",
    "dtype alone": dtype() + b".",
    "call of a dictionary": b"})R.",
    "call without a tuple": b"cnumpy\ndtype\n}R.",
    "fewer numbers": array(numbers=b"C\x02ab"),
    "more numbers": array(numbers=b"C\x04abcd"),
    "no numbers": array(numbers=b"N"),
    "negative side": array(shape=b"J\xfd\xff\xff\xff\x85"),
    "two negative sides": array(shape=b"J\xfd\xff\xff\xffJ\xff\xff\xff\xff\x86"),
    "endless side": array(shape=b"\x8a\x09" + b"\xff" * 8 + b"\x00\x85"),
    "sides of real numbers": array(shape=b"G\x40\x08\x00\x00\x00\x00\x00\x00\x85"),
    "too many sides": array(shape=b"(" + b"K\x01" * 8 + b"K\x03t"),
    "shape in a list": array(shape=b"](K\x03e"),
    "rot13": b"c_codecs\nencode\n(Vabc\nVrot13\ntR.",
    "text beyond latin-1": b"c_codecs\nencode\n(V\\u0416\nVlatin1\ntR.",
    "lying bytes": b"B\xff\xff\xff\x7fabc.",
    "lying long bytes": b"\x8e" + b"\xff" * 7 + b"\x3fabc.",
    "impossible bytes": b"\x8e" + b"\xff" * 8 + b"abc.",
    "lying text": b"X\xff\xff\xff\x7fabc.",
    "negative length": b"T\xff\xff\xff\xffabc.",
    "lying long": b"\x8b\xff\xff\xff\x7fabc.",
    "lying frame": b"\x80\x04\x95" + b"\xff" * 7 + b"\x00}.",
    "protocol 200": b"\x80\xc8}.",
    "bomb of DUP": b")" + b"2\x86" * 100 + b".",
    "bomb of tuples": b")q\x00" + b"h\x00h\x00\x86q\x00" * 100 + b".",
    "list in itself": b"]q\x00h\x00a.",
    "dictionary in itself": b"}q\x00Va\nh\x00s.",
    "list in a dictionary in itself": b"]q\x00}Va\nh\x00sa.",
    "deep tuples": b")" + b"\x85" * DEEP + b".",
    "deep marks": b"(" * DEEP + b"t" * DEEP + b".",
    "deep lists": b"]" * DEEP + b"a" * (DEEP - 1) + b".",
    "deep dictionaries": b"}Va\n" * DEEP + b"}" + b"s" * DEEP + b".",
    "number of many digits": b"I" + b"9" * 10_000 + b"\n.",
    "long of many digits": b"L" + b"9" * 10_000 + b"L\n.",
    "number as a key": b"}I1\nI2\ns.",
    "list as a key": b"}]I1\ns.",
    "key without a value": b"}(Va\nu.",
    "no dictionary": b"(Va\nI1\nu.",
    "no list": b"}I1\na.",
    "no mark": b"I1\nt.",
    "empty stack": b"0.",
    "pop of a mark": b"(0.",
    "memory of nothing": b"q\x00.",
    "memory that is not there": b"h\x07.",
    "nothing": b".",
    "open mark": b"I1\n(.",
    "two values": b"I1\nI2\n.",
    "trailing data": b"}.canary",
    "two pickles": b"}.cos\nsystem\n(S'" + RUN + b"'\ntR.",
    "unknown opcode": b"\xff.",
    "no text": b"X\x01\x00\x00\x00\xff.",
    "open quote": b"S'abc\n.",
}
"""All refused."""

HARMLESS = {
    "memory of a huge number": (b"}r\xff\xff\xff\x7f.", {}),
    "memory of an endless number": (b"}p99999999999999999999\n.", {}),
    "a text that looks like code": (b"V" + CALL + b"\n.", CALL.decode()),
    "something taken away": (b"I7\nI8\n0.", 7),
    "frame that is too short": (b"\x80\x04\x95" + bytes(8) + b"}.", {}),
}
"""Odd, but the plain data they are."""
