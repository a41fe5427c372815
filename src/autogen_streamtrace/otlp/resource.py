"""The resource of a process's telemetry: every process has its own ``service.instance.id``."""

import os
import uuid
from typing import cast

from opentelemetry.sdk import resources
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, Resource


class ProcessResource:
    """The resource of this process and of the children that it forks.

    ``OTEL_RESOURCE_ATTRIBUTES``, ``OTEL_SERVICE_NAME`` and the resource detectors apply as usual. If one of them gives
    an instance id, all processes that see it share that id, so ``-<pid>`` is added. If none does, the SDK makes a UUID
    for each process.

    After a fork the SDK (from 1.44 on) gives its providers, tracers and loggers a new UUID, even where an id was given;
    ``in_child`` restores the given one. Two cases are not covered. A span that started before the fork keeps the
    parent's resource though it ends in the child. Two containers with the same given id may have the same pid.
    """

    def __init__(self) -> None:
        self.resource = Resource.create()
        found = self.resource.attributes.get(SERVICE_INSTANCE_ID)
        self._given = found if found and found != _made().attributes[SERVICE_INSTANCE_ID] else None
        if self._given or not found:
            self.resource = self.resource.merge(self.in_child())

    def in_child(self) -> Resource:
        """The resource that a forked child merges over its parent's."""
        if self._given is None:
            return _made()
        return Resource({SERVICE_INSTANCE_ID: f"{self._given}-{os.getpid()}"})


def _made() -> Resource:
    """The SDK's own id of this process; a new one before SDK 1.43, which has none."""
    detector = getattr(resources, "ServiceInstanceIdResourceDetector", None)
    made = Resource({SERVICE_INSTANCE_ID: str(uuid.uuid4())}) if detector is None else detector().detect()
    return cast(Resource, made)
