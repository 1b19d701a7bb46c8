"""The production server: waitress, with request bodies bounded before anything is read of them.

Waitress reads bodies in its main loop, so clients that trickle hold no thread. Three things are added to it:

- A body over `MAX_UPLOAD_SIZE` is not stored. The request goes to the application at once, with an empty body and
  `BODY_DISCARDED` in its environment, so that the answer is the application's own 413, in words. (Waitress' own limit
  answers in plain text, and counts a body of exactly the limit as too large.)
- What is no request that can be read is refused in words, under `/api` in the JSON of every other error there, with a
  `traceId` that the log holds too. (Waitress answers in its own plain text.)
- A connection that the server ends is closed in two steps: the answer and the end of sending first, then what the
  client still sends is read and thrown away. Closing a socket with unread data resets the connection, and the client
  loses the answer that it has not read yet.
"""

from webadmin.server.listening import ListenError, listen, serve, share_heaps

__all__ = ["ListenError", "listen", "serve", "share_heaps"]
