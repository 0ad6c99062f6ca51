"""Talks to the server with the official client of the protocol, and says what it heard as JSON.

Arguments: the program, and the folder that it may read.
"""

import asyncio
import json
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


def member(result, *names):
    """The client's members changed their names between its versions."""
    for name in names:
        if hasattr(result, name):
            return getattr(result, name)
    raise AttributeError(names)


async def main() -> None:
    program, folder = sys.argv[1:]
    server = StdioServerParameters(command=program, args=["mcp", "--allow", folder])
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        tools = await session.list_tools()
        hang = await session.call_tool("hang", {"dump": "vista-sp2-x64.dmp"})
        refused = await session.call_tool("hang", {"dump": "/etc/passwd"})
        error = member(refused, "structured_content", "structuredContent")["error"]
        heard = {
            "tools": [tool.name for tool in tools.tools],
            "hang": member(hang, "structured_content", "structuredContent"),
            "refused": [member(refused, "is_error", "isError"), error["id"]],
        }
    json.dump(heard, sys.stdout)


asyncio.run(main())
