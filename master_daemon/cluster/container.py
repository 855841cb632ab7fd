"""The words that put a job's command into its container, as the ordinary user that it runs as. apptainer(1)."""

from __future__ import annotations

import getpass
import sys

from ligan.cluster_settings import ContainerSettings
from ligan.intervals import TRIAL_LEFTOVER_MIN
from ligan.settings import JobSettings, Settings
from master_daemon.cluster.gpu_count import wants_gpu

ISOLATED = ("--contain", "--ipc", "--pid", "--no-home", "--cwd", "/")
"""Nothing of the node but what is bound: folders of its own for /tmp and /dev, its own processes, no home.

Read-only is an image anyway. The environment is left alone: all of it is Slurm's and the few variables that commands
keep (`command.KEPT_VARIABLES`), and the job needs SLURM_JOB_ID and CUDA_VISIBLE_DEVICES."""
_IN_IMAGE = "python"
"""The images' PATH leads to the one that has everything."""
_MAKE_CACHE = 'umask 077 && mkdir -p "$0" && exec "$@"'
"""Apptainer binds only what is there. Nothing is between the scheduler's signals and it: `exec`."""
_MAKE_FOLDER = (
    'umask 077; mkdir -p "$0" && [ -O "${0%/*}" ] && [ ! -L "${0%/*}" ] || { '
    'echo "[LiGAN] ${0%/*} on $(uname -n) is no folder of the user $(id -un) alone, in which test jobs could run: '
    'remove it, or set [backend] weights_cache to another." >&2; exit 1; }; '
    f'find "${{0%/*}}" -maxdepth 1 -name "trial-*" -mmin +{TRIAL_LEFTOVER_MIN} '
    "-exec chmod -R u+rwX {} ';' -exec rm -rf {} +; "
    'cd "$0" && exec "$@"'
)
"""In a folder that is this user's alone, which everybody may have made before; and without what killed trials left."""
_TRIAL = ("-m", "ligan.trial")


def python_argv(settings: Settings, role: str, site: JobSettings) -> tuple[str, ...]:
    """argv of the role's Python on its node, to be followed by `-m MODULE`, in a container where the site has one."""
    image = image_of(settings.container, role)
    if not image:
        return (*site.prefix, site.python or sys.executable)
    cache = weights_cache(settings) if role != "frontend" and settings.backend.weights else ""
    words = apptainer(settings.container, image, cache, gpu=wants_gpu(site))
    return (*site.prefix, *words, site.python or _IN_IMAGE)


def trial_argv(settings: Settings, site: JobSettings, image_name: str, folder: str, gpu: bool) -> tuple[str, ...]:
    """argv of a trial on its node, in the container of that name where the site has one.

    `folder` is the trial's own on the node: made for it alone, and all that it sees of the node.
    """
    start = (*site.prefix, "/bin/sh", "-c", _MAKE_FOLDER, folder)
    image = image_of(settings.container, image_name)
    if not image:
        return (*start, site.python or sys.executable, *_TRIAL, folder)
    bound = settings.container.model_copy(update={"binds": (*settings.container.binds, folder)})
    return (*start, *apptainer(bound, image, "", gpu), site.python or _IN_IMAGE, *_TRIAL, folder)


def trial_folder(settings: Settings, nonce: str) -> str:
    """The folder of a trial's job on its node."""
    return f"{weights_cache(settings)}/trial-{nonce}"


def apptainer(container: ContainerSettings, image: str, cache: str, gpu: bool) -> tuple[str, ...]:
    """The call of apptainer, up to the command inside. `cache` is a folder of the node that is made if need be."""
    first = ("/bin/sh", "-c", _MAKE_CACHE, cache) if cache else ()
    binds = (*container.binds, *((cache,) if cache else ()))
    return (
        *first,
        *("apptainer", "--quiet", "exec", *ISOLATED),
        *(("--nv",) if gpu else ()),
        *(f"--bind={bind}" for bind in binds),
        *container.arguments,
        image,
    )


def image_of(container: ContainerSettings, role: str) -> str:
    """The role's image, or an empty string where its jobs run on the node itself."""
    if container.runtime == "none":
        return ""
    images = {
        "frontend": container.frontend,
        "backend": container.backend,
        "cpu": container.cpu or container.backend,
    }
    return images[role]


def weights_cache(settings: Settings) -> str:
    """The folder of each node where a backend keeps the weights that it fetched."""
    return settings.backend.weights_cache or f"/var/tmp/ligan-{settings.ssh.user or getpass.getuser()}"  # noqa: S108
