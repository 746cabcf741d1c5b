"""gdb commands that read mbmalloc's heap in a process or a core file: mb heap, mb who ADDRESS, mb class BYTES, mb
threads.

    (gdb) source mbmalloc-gdb.py
    (gdb) mb heap

They call no function of the process, and need no debug information of the library: the exported constant mb_debug
describes its data. A statically linked program must still have its symbols.
"""
import struct

import gdb

SLAB, LARGE, HOLE, PIECE_SHIFT = 1, 2, 3, 12
UNIT_NONE = 0
FIELDS = ("owner carved capacity block_bytes kind class_index large_flags large_bytes large_pieces bits remote home token next_heap "
          "blocks_served large_served masks large_kept upper long_first_unit long_units long_in_part").split()
PROFILE_FIELDS = ("samples probes sample_record sample_address sample_asked sample_stack frames_at stacks_at stack_count stack_frames").split()
RECORD_BYTES = 64
ALL_BITS = (1 << 64) - 1


def read(address, length):
    return bytes(gdb.selected_inferior().read_memory(address, length))


def word(data, offset, form):
    return struct.unpack_from("<" + form, data, offset)[0]


def size(count):
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if count < 1024 or unit == "TiB":
            return f"{count:.1f} {unit}" if unit != "bytes" else f"{count} bytes"
        count /= 1024


def mix(x):
    """mb_mix64."""
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9 & ALL_BITS
    x = (x ^ x >> 27) * 0x94d049bb133111eb & ALL_BITS
    return x ^ x >> 31


def place(address):
    """The function, file and line of the call before a return address, as far as gdb knows them."""
    symbol = gdb.execute(f"info symbol {address - 1:#x}", to_string=True).strip()
    symbol = "?" if symbol.startswith("No symbol") else symbol.replace(" in section .text", "")
    line = gdb.find_pc_line(address - 1)
    return f"{symbol} at {line.symtab.filename}:{line.line}" if line.symtab is not None else symbol


class Heap:
    """The data that mb_debug describes, read once for each command."""

    def __init__(self):
        try:
            at = int(gdb.parse_and_eval("(unsigned long)&mb_debug"))
        except gdb.error:
            raise gdb.GdbError("mbmalloc is not in this process (no symbol mb_debug)")
        length = 40 + 4 * len(FIELDS)
        record = read(at, length)
        if record[:8] != b"mbdebug\0" or word(record, 8, "I") < 1:
            raise gdb.GdbError("mb_debug is not what this script knows: another version of mbmalloc")
        self.unit_shift = word(record, 12, "I")
        space, self.heaps_at = word(record, 16, "Q"), word(record, 24, "Q")
        self.unit_bytes, self.classes = word(record, 32, "I"), word(record, 36, "I")
        self.offset = {name: word(record, 40 + 4 * i, "I") for i, name in enumerate(FIELDS)}
        self.base, self.bytes, self.table = struct.unpack("<3Q", read(space, 24))
        if self.base == 1 << 62:
            raise gdb.GdbError("mbmalloc has not handed out a block yet")
        self.units = self.bytes >> self.unit_shift
        self.longs = self.long_records(word(read(at + length, 8), 0, "Q"))
        self.profile = None
        if word(record, 8, "I") >= 2:
            part = read(at + length + 8, 8 + 4 * len(PROFILE_FIELDS))
            self.profile_offset = {name: word(part, 8 + 4 * i, "I") for i, name in enumerate(PROFILE_FIELDS)}
            self.profile = word(read(word(part, 0, "Q"), 8), 0, "Q") or None

    def long_records(self, parts_at):
        """The records of live long blocks that are in the second table, by the unit in which the blocks begin."""
        longs, in_part = {}, self.offset["long_in_part"]
        parts = -(-self.units // (self.offset["long_units"] * in_part))
        for at in struct.unpack(f"<{parts}Q", read(parts_at, 8 * parts)) if self.units > self.offset["long_first_unit"] else ():
            records = read(at, RECORD_BYTES * in_part) if at != 0 else b""
            for i in range(0, len(records), RECORD_BYTES):
                record = records[i:i + RECORD_BYTES]
                if self.field(record, "kind", "B") == LARGE:
                    longs[self.field(record, "carved", "I") << PIECE_SHIFT >> self.unit_shift] = record
        return longs

    def sample(self, start):
        """The requested bytes and the return addresses of the allocation of a block that the heap profile has sampled,
        else None."""
        if self.profile is None:
            return None
        at = self.profile_offset
        first = mix(start) % at["samples"]
        slots = read(self.profile + first * at["sample_record"], at["probes"] * at["sample_record"])
        for slot in (slots[i:i + at["sample_record"]] for i in range(0, len(slots), at["sample_record"])):
            if word(slot, at["sample_address"], "Q") == start:
                return word(slot, at["sample_asked"], "Q"), self.stack(word(slot, at["sample_stack"], "I"))
        return None

    def stack(self, offset):
        at = self.profile_offset
        stack = self.profile + at["stacks_at"] + offset
        count = word(read(stack + at["stack_count"], 4), 0, "I")
        frames = struct.unpack(f"<{count}I", read(stack + at["stack_frames"], 4 * count)) if count else ()
        return [word(read(self.profile + at["frames_at"] + 8 * frame, 8), 0, "Q") for frame in frames]

    def owner(self, unit):
        """The owner of the slab, in words."""
        owner = self.field(unit, "owner", "Q")
        if owner == 0:
            return "nobody now"
        is_thread = any(self.field(record, "token", "Q") == owner for _, record in self.threads())
        return thread_names().get(owner, f"the thread at {owner:#x}") if is_thread else "all threads (the heap that they share)"

    def field(self, data, name, form, base=0):
        return word(data, base + self.offset[name], form)

    def descriptors(self):
        """(index, descriptor) of every unit that holds a slab or where a large block begins."""
        step = 4096
        for first in range(0, self.units, step):
            count = min(step, self.units - first)
            data = read(self.table + first * self.unit_bytes, count * self.unit_bytes)
            for i in range(count):
                unit = data[i * self.unit_bytes:(i + 1) * self.unit_bytes]
                is_long = first + i in self.longs
                if is_long or self.field(unit, "kind", "B") != UNIT_NONE or self.field(unit, "kind", "B", self.offset["upper"]) == LARGE:
                    yield first + i, unit

    def unit(self, index):
        return read(self.table + index * self.unit_bytes, self.unit_bytes)

    def address(self, index):
        return self.base + (index << self.unit_shift)

    def live(self, unit):
        """The live blocks of a slab, as a set of bits."""
        packed, carved = self.field(unit, "bits", "Q"), self.field(unit, "carved", "I")
        words, at = packed >> 48, packed & ((1 << 48) - 1)
        if words == 0:
            return 0
        bits = struct.unpack(f"<{2 * words}Q", read(at, 16 * words))
        free = 0
        for i in range(words):
            free |= (bits[i] | bits[words + i]) << (64 * i)
        return ~free & ((1 << carved) - 1)

    def threads(self):
        """(heap's address, its record) of every heap."""
        at = word(read(self.heaps_at, 8), 0, "Q")
        length = max(self.offset["next_heap"], self.offset["large_served"], self.offset["token"], self.offset["masks"] + 8 * self.classes) + 8
        while at != 0:
            record = read(at, length)
            yield at, record
            at = self.field(record, "next_heap", "Q")

    def large(self, index, unit):
        """The large blocks that begin in a unit: (start, bytes, kept)."""
        records = [(unit, at) for at in ((0,) if self.field(unit, "kind", "B") == SLAB else (0, self.offset["upper"]))]
        records += [(self.longs[index], 0)] if index in self.longs else []
        for record, at in records:
            if self.field(record, "kind", "B", at) == LARGE:
                start = self.base + (self.field(record, "carved", "I", at) << PIECE_SHIFT)
                kept = self.field(record, "large_flags", "I", at) & self.offset["large_kept"] != 0
                yield start, self.field(record, "large_bytes", "Q", at), kept


def thread_names():
    """Thread pointer -> what gdb calls the thread."""
    names, chosen = {}, gdb.selected_thread()
    for thread in gdb.selected_inferior().threads():
        try:
            thread.switch()
            pointer = int(gdb.parse_and_eval("(unsigned long)$fs_base" if "x86" in gdb.selected_frame().architecture().name()
                                             else "(unsigned long)$tpidr"))
        except gdb.error:
            continue
        names[pointer] = f"thread {thread.num} ({thread.name or '?'}, {thread.ptid[1] or thread.ptid[2]})"
    if chosen is not None:
        chosen.switch()
    return names


class Mb(gdb.Command):
    """Read mbmalloc's heap: mb heap, mb who ADDRESS, mb class BYTES, mb threads."""

    def __init__(self):
        super().__init__("mb", gdb.COMMAND_DATA, prefix=True)


class MbHeap(gdb.Command):
    """Print live and free blocks by block size, and large blocks."""

    def __init__(self):
        super().__init__("mb heap", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        heap, sizes, large, kept = Heap(), {}, [], 0
        for index, unit in heap.descriptors():
            kind = heap.field(unit, "kind", "B")
            if kind == SLAB:
                row = sizes.setdefault(heap.field(unit, "block_bytes", "I"), [0, 0, 0])
                live = bin(heap.live(unit)).count("1")
                row[0] += 1
                row[1] += live
                row[2] += heap.field(unit, "carved", "I") - live
            else:
                for _, length, is_kept in heap.large(index, unit):
                    kept += is_kept
                    if not is_kept:
                        large.append(length)
        print(f"{'block size':>10} {'slabs':>8} {'live':>10} {'free':>10} {'live bytes':>12}")
        for block, (slabs, live, free) in sorted(sizes.items()):
            print(f"{block:>10} {slabs:>8} {live:>10} {free:>10} {size(live * block):>12}")
        live_bytes = sum(block * row[1] for block, row in sizes.items()) + sum(large)
        live_blocks = sum(row[1] for row in sizes.values()) + len(large)
        print(f"{len(large)} large blocks of {size(sum(large))}, and {kept} kept for the next request")
        print(f"{live_blocks} live blocks of {size(live_bytes)} in all; {heap.units} units from {heap.base:#x} on")


class MbWho(gdb.Command):
    """Print what an address is, and the calls that allocated the block if it is a sample of the heap profile.

    mb who ADDRESS
    """

    def __init__(self):
        super().__init__("mb who", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        if not argument:
            raise gdb.GdbError("mb who ADDRESS")
        heap, address = Heap(), int(gdb.parse_and_eval(f"(unsigned long)({argument})"))
        if not heap.base <= address < heap.base + heap.bytes:
            print(f"{address:#x}: not in the heap (or a block longer than its window)")
            return
        index = (address - heap.base) >> heap.unit_shift
        unit = heap.unit(index)
        kind = heap.field(unit, "kind", "B")
        if kind == SLAB:
            self.in_slab(heap, unit, index, address)
        else:
            self.in_large(heap, index, address)

    def in_slab(self, heap, unit, index, address):
        block_bytes, carved = heap.field(unit, "block_bytes", "I"), heap.field(unit, "carved", "I")
        number = (address - heap.address(index)) // block_bytes
        start = heap.address(index) + number * block_bytes
        whose = heap.owner(unit)
        if number >= carved:
            print(f"{address:#x}: in a slab of blocks of {block_bytes} bytes, where no block has been made yet; its slab belongs to {whose}")
            return
        state = "live" if heap.live(unit) >> number & 1 else "free"
        print(f"{address:#x}: {address - start} bytes into a {state} block of {block_bytes} bytes at {start:#x}; its slab belongs to {whose}")
        if state == "live":
            self.say_sample(heap, start)

    def say_sample(self, heap, start):
        """Prints the calls that allocated a block, if the heap profile has sampled it."""
        sample = heap.sample(start)
        if sample is None:
            return
        asked, stack = sample
        print(f"  a sample of the heap profile: {asked} bytes, allocated by")
        for frame in stack:
            print(f"    {frame:#018x} {place(frame)}")
        if not stack:
            print("    (the call stack could not be told)")

    def in_large(self, heap, index, address):
        for first in range(index, -1, -1):
            unit = heap.unit(first)
            found = [block for block in heap.large(first, unit) if block[0] <= address]
            if found:
                start, length, kept = max(found)
                if address - start < length:
                    state = "freed large block that is kept for the next request" if kept else "live large block"
                    print(f"{address:#x}: {address - start} bytes into a {state} of {size(length)} at {start:#x}")
                    if not kept:
                        self.say_sample(heap, start)
                    return
                break
            if heap.field(unit, "kind", "B") != UNIT_NONE:
                break
        print(f"{address:#x}: in the heap, in no block")


class MbClass(gdb.Command):
    """Print the slabs of one block size, with their first live blocks: mb class BYTES."""

    def __init__(self):
        super().__init__("mb class", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        if not argument:
            raise gdb.GdbError("mb class BYTES")
        heap, wanted, count = Heap(), int(gdb.parse_and_eval(argument)), 0
        block = min((heap.field(u, "block_bytes", "I") for _, u in heap.descriptors()
                     if heap.field(u, "kind", "B") == SLAB and heap.field(u, "block_bytes", "I") >= wanted), default=0)
        for index, unit in heap.descriptors():
            if heap.field(unit, "kind", "B") != SLAB or heap.field(unit, "block_bytes", "I") != block:
                continue
            live, carved = heap.live(unit), heap.field(unit, "carved", "I")
            firsts = [i for i in range(carved) if live >> i & 1][:4]
            text = " ".join(f"{heap.address(index) + i * block:#x}" for i in firsts)
            print(f"slab {heap.address(index):#x}: {bin(live).count('1')} live, {carved - bin(live).count('1')} free: {text}")
            count += 1
        print(f"{count} slabs of blocks of {block} bytes")


class MbThreads(gdb.Command):
    """Print for each thread how many blocks its heap has allocated and how many slabs it holds."""

    def __init__(self):
        super().__init__("mb threads", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        heap, names, held = Heap(), thread_names(), {}
        for _, unit in heap.descriptors():
            owner = heap.field(unit, "owner", "Q")
            if heap.field(unit, "kind", "B") == SLAB and owner:
                row = held.setdefault(owner, [0, 0])
                row[0] += 1
                row[1] += (heap.field(unit, "carved", "I") - bin(heap.live(unit)).count("1")) * heap.field(unit, "block_bytes", "I")
        for at, record in heap.threads():
            token = heap.field(record, "token", "Q")
            masks = struct.unpack_from(f"<{heap.classes}Q", record, heap.offset["masks"])
            blocks = heap.field(record, "blocks_served", "Q") - sum(bin(m).count("1") for m in masks) + heap.field(record, "large_served", "Q")
            slabs, free = held.get(token, [0, 0])
            who = names.get(token, "no thread (it has ended)")
            print(f"heap {at:#x}: {who}: {blocks} blocks handed out, holds {slabs} slabs with {size(free)} free")


Mb()
MbHeap()
MbWho()
MbClass()
MbThreads()
