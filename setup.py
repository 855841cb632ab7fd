"""LiGAN: a GPU of your own on a Slurm cluster, at a web page; its first application assembles photo lineups."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
PACKAGES = ["ligan", "master_daemon", "frontend_server", "backend_container"]
SERVER = [
    "httptools>=0.6",
    "flask>=3.0",
    "flask-openapi3>=4.0,<5",
    "flask-openapi3-swagger>=5",
    "waitress>=3.0",
    "pydantic>=2.12",
    "requests>=2.31",
    "urllib3>=2",
    "uvloop>=0.19",
]
DAEMON = [
    "sqlalchemy>=2.0",
    "cryptography>=42",
    "paramiko>=3.4",
    "prometheus-client>=0.20",
    "jsonschema>=4.21",
    "argon2-cffi>=23.1",
    "authlib>=1.7",
    "joserfc>=1.2",
]
FRONTEND = ["pillow>=10.3", "pi-heif>=0.18"]
FAKE = ["numpy>=1.26", "pillow>=10.3"]  # all that a backend needs whose engine is made of nothing
BACKEND = [*FAKE, "torch>=2.3", "safetensors>=0.4", "opencv-python-headless>=4.12,<5"]
TRAINING = ["scikit-learn>=1.4", "efficientnet-lite-pytorch>=0.1"]
POSTGRESQL = ["psycopg[binary]>=3.1"]
DOCS = ["sphinx>=8", "myst-parser>=4", "furo>=2024.8.6"]
TEST = [
    *POSTGRESQL,
    *DOCS,
    "axe-playwright-python>=0.1.4",
    "pytest>=8",
    "pytest-timeout>=2.3",
    "ruff>=0.6",
    "mypy>=1.11",
    "playwright>=1.45",
    "scikit-image>=0.22",
    "psutil>=5.9",
    "schemathesis>=4.30,<5",
    "types-requests",
    "types-waitress",
    "types-psutil",
    "types-docutils",
    "types-jsonschema",
    "types-paramiko",
]

setup(
    name="ligan",
    version="0.1.0",
    description=__doc__.strip(),
    long_description=(HERE / "README.md").read_text() if (HERE / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    packages=find_packages(include=[name + pattern for name in PACKAGES for pattern in ("", ".*")]),
    include_package_data=True,
    package_data={
        "ligan": ["py.typed"],
        "frontend_server": ["static/**/*"],
        "master_daemon": ["**/*.sh", "api/operator_page/*", "api/login_page/*", "site_file/*.service"],
        "backend_container": ["weights/**/*"],
    },
    # A login node needs no torch: it asks the backend's package which tasks there are, and loads no model.
    install_requires=SERVER + DAEMON + FRONTEND + FAKE,
    extras_require={
        "backend": BACKEND + TRAINING,
        "test": TEST,
        "docs": DOCS,
        "postgresql": POSTGRESQL,
        "pyslurm": ["pyslurm>=23.2"],
        # What the images of singularity/ hold, without the rest: scripts/build-images
        "frontend-image": SERVER + FRONTEND,
        "backend-image": SERVER + BACKEND,
        "fake-image": SERVER + FAKE,
    },
    entry_points={
        "console_scripts": ["ligan = ligan.command:main"],
        # Each verb of the `ligan` command; `ligan/` itself imports none of the other packages.
        "ligan.commands": [
            "up = master_daemon.command:up",
            "doctor = master_daemon.doctor:doctor",
            "status = master_daemon.operator_command.status:status",
            "jobs = master_daemon.operator_command.jobs:jobs",
            "submit = master_daemon.developer_command.submit:submit",
            "logs = master_daemon.developer_command.logs:logs",
            "cancel = master_daemon.developer_command.cancel:cancel",
            "explain = master_daemon.operator_command.explain:explain",
            "drain = master_daemon.operator_command.drain:drain",
            "maintenance = master_daemon.operator_command.maintenance:maintenance",
            "announce = master_daemon.operator_command.announce:announce",
            "usage = master_daemon.operator_command.usage:usage",
            "users = master_daemon.operator_command.users:users",
            "tokens = master_daemon.operator_command.tokens:tokens",
            "init = master_daemon.site_file.command:init",
            "backup = master_daemon.backup.command:backup",
            "restore = master_daemon.backup.command:restore",
            "dataset = backend_container.dataset_command.dataset:dataset",
            "evaluate = backend_container.evaluation.command:evaluate",
            "weights = backend_container.weights_command.command:weights",
            "train = backend_container.training.command:train",
        ],
    },
)
