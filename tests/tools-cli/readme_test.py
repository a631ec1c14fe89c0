# SPDX-License-Identifier: BSD-2-Clause
"""What README.md tells people to write, and where it sends readers, exists."""
import os
import re

from certificates import make_self_signed
from harness import HERE, CommandTest, postern

TOP = os.path.join(HERE, "..", "..")


def read(*path):
    """A file of the tree."""
    with open(os.path.join(TOP, *path), encoding="utf-8") as file:
        return file.read()


class ReadmeTest(CommandTest):
    """README.md against the tree that it is in."""

    def test_its_configuration_loads_and_leaves_only_what_it_means_to(self):
        block = re.search(r"(?m)^    hostname mx\.example\.org;\n(?:    .*\n|\n)*",
                          read("README.md")).group(0)
        os.mkdir(os.path.join(self.folder, "policies"))
        self.write("policies/standard.policy", read("policies", "standard.policy").encode())
        make_self_signed(os.path.join(self.folder, "mx.pem"), os.path.join(self.folder, "mx.key"),
                         "mx.example.org", days=90)
        os.mkdir(os.path.join(self.folder, "held"), 0o700)
        block = block.replace("folder /var/lib/postern;", "folder held;")
        path = self.write("postern.conf", b"spool-folder .;\n" + block.encode())
        run = postern("check", "-c", path)
        self.assertEqual(run.returncode, 0, run.stdout)
        self.assertEqual(sorted(set(re.findall(r"warning: .*\[(.*)\]", run.stdout))),
                         ["lint.backend-trusts-us", "lint.shadow"])
        self.assertEqual(postern("effective", "-c", path, "example.eu").returncode, 0)

    def test_the_way_of_a_message_names_what_is_there(self):
        table = read("README.md").split("## How a message travels")[1].split("\n## ")[0]
        places = re.findall(r"`([a-z]+/[a-z_]+\.[ch])(?:: ([a-z_]+))?`", table)
        self.assertGreater(len(places), 20)
        for path, function in places:
            text = read("gateway", path)
            if function:
                self.assertRegex(text, rf"(?m)^[a-z].*\b{function}\(", path)
        for extra in re.findall(r"`([a-z_]+)`", table):
            self.assertIn(f"{extra}(", "".join(read("gateway", path) for path, _ in places))

    def test_the_folders_it_names_are_there(self):
        for folder in re.findall(r"(?m)^\| `([a-z/]+)` \|", read("README.md")):
            self.assertTrue(os.path.isdir(os.path.join(TOP, folder)), folder)
        layers = re.findall(r"(?m)^([a-z]+)", read("gateway", "LAYERS"))
        named = re.findall(r"(?m)^\| `gateway/([a-z]+)` \|", read("README.md"))
        self.assertEqual(named, layers)
