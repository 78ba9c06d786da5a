"""What a sender gets that has not shown that it is at its address (RFC 9000, section 8.1)."""

import time
import unittest

from peer import Peer, server_port


class BeforeAnAddressIsProven(unittest.TestCase):
    def test_at_most_three_times_what_came_is_sent(self):
        peer = Peer(server_port(), starts=False)
        peer.quic.connect(peer.server, now=time.time())
        first = peer.quic.datagrams_to_send(now=time.time())
        sent = 0
        for datagram, address in first:
            peer.socket.sendto(datagram, address)
            sent += len(datagram)
        # Nothing is answered, so the server sends again and again.
        deadline, got = time.time() + 4, 0
        while time.time() < deadline:
            try:
                got += len(peer.socket.recv(65536))
            except BlockingIOError:
                time.sleep(0.01)
        self.assertGreater(got, sent, "no answer")
        self.assertLessEqual(got, 3 * sent)

    def test_a_handshake_whose_first_answers_are_lost_comes_about(self):
        peer = Peer(server_port(), starts=False)
        peer.quic.connect(peer.server, now=time.time())
        peer.flush()
        deadline = time.time() + 1
        while time.time() < deadline:
            try:
                peer.socket.recv(65536)
            except BlockingIOError:
                time.sleep(0.01)
        self.assertTrue(peer.until(lambda: peer.is_up))


if __name__ == "__main__":
    unittest.main()
