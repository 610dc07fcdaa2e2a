"""Which machine Python takes this for."""

import platform

print(platform.machine())
