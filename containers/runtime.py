"""What a container runtime does with CNI plugins: one after the other, each with the result of the
one before it."""

import json
import os
import subprocess


class PluginFailed(Exception):
    def __init__(self, plugin, said):
        super().__init__(f"{plugin}: {said}")
        try:
            self.answer = json.loads(said)
        except ValueError:
            self.answer = {}

    code = property(lambda self: self.answer.get("code"))
    message = property(lambda self: self.answer.get("msg", ""))


class Runtime:
    """Runs the plugins of a list within the namespace that plays the machine."""

    def __init__(self, host, folders, network):
        self.host, self.folders, self.network = host, folders, network

    def call(self, plugin, command, container="", namespace="", previous=None, patience=60):
        configuration = dict(plugin, cniVersion=self.network["cniVersion"],
                             name=self.network["name"])
        if previous is not None:
            configuration["prevResult"] = previous
        path = next(os.path.join(folder, plugin["type"]) for folder in self.folders
                    if os.path.exists(os.path.join(folder, plugin["type"])))
        done = subprocess.run(
            ["nsenter", f"--net={self.host}", path], input=json.dumps(configuration),
            capture_output=True, text=True, check=False, timeout=patience,
            env={"PATH": os.environ["PATH"], "CNI_COMMAND": command, "CNI_CONTAINERID": container,
                 "CNI_NETNS": namespace, "CNI_IFNAME": "eth0", "CNI_PATH": ":".join(self.folders)})
        if done.returncode:
            raise PluginFailed(plugin["type"], done.stdout or done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def add(self, container, namespace):
        result = None
        for plugin in self.network["plugins"]:
            result = self.call(plugin, "ADD", container, namespace, result)
        return result

    def check(self, container, namespace, result):
        for plugin in self.network["plugins"]:
            self.call(plugin, "CHECK", container, namespace, result)

    def delete(self, container, namespace, result):
        for plugin in reversed(self.network["plugins"]):
            self.call(plugin, "DEL", container, namespace, result)

    @property
    def last(self):
        return self.network["plugins"][-1]
