pytest_plugins = ["tests.cluster_fixture", "tests.postgresql_fixture"]
