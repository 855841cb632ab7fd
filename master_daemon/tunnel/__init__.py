"""What flows: the asyncio gateway on the public port, the tunnel to the frontend, the event streams."""
