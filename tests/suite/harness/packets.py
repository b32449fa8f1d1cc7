"""A network that loses, repeats and reorders packets: a TUN device that gives each one back as if it came from the other end.

    packets.py DEVICE SEED LOSS REPEATED DELAY

198.18.7.1 is this machine, and whatever is sent to 198.18.7.2 comes to it from there. Swapping the two addresses of a packet
leaves its checksums right. LOSS and REPEATED are probabilities, and DELAY is the longest that a packet takes, in seconds.
"""

import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
MTU = 1400


def device(name):
    tun = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    subprocess.run(["ip", "address", "add", "198.18.7.1/30", "dev", name], check=True)
    subprocess.run(["ip", "link", "set", name, "mtu", str(MTU), "up"], check=True)
    return tun


def returned(packet):
    return packet[:12] + packet[16:20] + packet[12:16] + packet[20:]


def main(name, seed, loss, repeated, delay):
    draw = random.Random(int(seed))
    loss, repeated, delay = float(loss), float(repeated), float(delay)
    tun = device(name)
    print("ready", flush=True)
    under_way, lost, number = [], 0, 0
    while True:
        wait = max(0, under_way[0][0] - time.monotonic()) if under_way else None
        if select.select([tun, sys.stdin], [], [], wait)[0]:
            # Whoever started this has ended.
            if select.select([sys.stdin], [], [], 0)[0]:
                print(number, lost, flush=True)
                return
            packet = os.read(tun, 65536)
            number += 1
            if draw.random() < loss:
                lost += 1
            elif packet[0] >> 4 == 4:
                for _ in range(2 if draw.random() < repeated else 1):
                    due = time.monotonic() + delay * draw.random()
                    heapq.heappush(under_way, (due, number, returned(packet)))
        while under_way and under_way[0][0] <= time.monotonic():
            os.write(tun, heapq.heappop(under_way)[2])


main(*sys.argv[1:])
