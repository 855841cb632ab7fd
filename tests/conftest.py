pytest_plugins = ["tests.cluster_fixture", "tests.postgresql_fixture", "tests.images_fixture"]
