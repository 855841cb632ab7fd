"""Before anything of the tests, or of a benchmark that uses them, is imported: what surrounds them is put in order."""

from tests.surroundings import settle

settle()
