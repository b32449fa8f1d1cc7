"""What the bytes of a record say: protobuf, read by the schema in journal.proto. Used by verify.py."""
import re


def read_schema(text):
    messages, message = {}, None
    for line in text.splitlines():
        begins = re.match(r"message (\w+)", line)
        field = re.match(r"\s+(repeated )?(\w+) (\w+) = (\d+);", line)
        if begins:
            message = messages.setdefault(begins[1], {})
        elif field:
            message[int(field[4])] = (bool(field[1]), field[2], field[3])
    return messages


def decode(schema, message, data):
    told, at = {}, 0
    while at < len(data):
        tag, at = varint(data, at)
        repeated, form, name = schema[message][tag >> 3]
        number, at = varint(data, at)
        if tag & 7 == 0:
            values = [bool(number) if form == "bool" else number]
        elif tag & 7 == 2 and at + number <= len(data):
            part, at = data[at:at + number], at + number
            values = parts(schema, form, part)
        else:
            raise ValueError("a record is malformed")
        if repeated:
            told.setdefault(name, []).extend(values)
        else:
            told[name] = values[0]
    return told


def parts(schema, form, part):
    if form in schema:
        return [decode(schema, form, part)]
    if form in ("string", "bytes"):
        return [part.decode() if form == "string" else part.hex()]
    numbers, at = [], 0
    while at < len(part):
        number, at = varint(part, at)
        numbers.append(number)
    return numbers


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at
