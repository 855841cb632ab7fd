pytest_plugins = ["tests.cluster_fixture"]
