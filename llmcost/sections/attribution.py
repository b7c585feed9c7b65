"""Which part of the program a call belongs to: stack, map and context put together."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Final

from opentelemetry.context import Context

from llmcost import semconv
from llmcost.calls import Attribution, CallSite, LabelSource
from llmcost.sections.call_site import CallSites, Found, Place
from llmcost.sections.map_file import WatchedMap
from llmcost.sections.scope import Scope, current
from llmcost.sections.semantic_map import SemanticMap

_LIMIT: Final = 2048
"""Attributions kept under one context record; more mean that something makes code on the fly."""


class Sections:
    """Says for each call which label, call site and context it has.

    Args:
        map_path: the semantic map; None looks for it (see :mod:`llmcost.sections.map_file`).
        default_label: label of calls that no mapped function made; None means ``untracked``.
        clock: seconds that only grow, for noticing a changed map.
    """

    def __init__(
        self,
        map_path: Path | None = None,
        *,
        default_label: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watched = WatchedMap(map_path, clock=clock)
        self._clock = clock
        self._default = default_label
        self._use(self._watched.current)

    @property
    def map_path(self) -> Path | None:
        """The semantic map that is used, or None where none was found yet."""
        self._watched.refresh()
        return self._watched.path

    def semantic_map(self) -> SemanticMap:
        """The map as it is now."""
        latest = self._watched.refresh()
        if latest is not self._used:
            self._use(latest)
        return latest

    def attribute(self, frame: FrameType | None, context: Context | None = None) -> Attribution:
        """Attribute a call that is made in ``frame`` or in what it calls, under an OTel context.

        Precedence: :class:`llmcost.label`, the nearest mapped function on the stack, the label in the OTel context,
        the default label, ``untracked``. The site is the nearest frame of the program, mapped or not. The record is
        reused for the next call from the same place under the same context.
        """
        if self._clock() >= self._watched.due:
            self.semantic_map()
        found = place, at, mapped = self._find(frame)
        scope = current(frame, context)
        key = (place or self, 0 if at is None else at.f_lasti, mapped)
        known = scope.attributions.get(key)
        if known is None:
            if self._watched.current is not self._used:  # the walk met a package that carries a map
                self._use(self._watched.current)
                return self.attribute(frame, context)
            known = self._compose(scope, found)
            if len(scope.attributions) >= _LIMIT:
                scope.attributions.clear()
            scope.attributions[key] = known
        return known

    def _use(self, semantic_map: SemanticMap) -> None:
        self._used = semantic_map
        self._sites = CallSites(semantic_map, self._watched.adopt_package)
        self._find = self._sites.find

    def inherit(self, frame: FrameType | None) -> Scope:
        """The record that work started in ``frame`` should begin with: the context's, with this stack's label."""
        scope = current(frame)
        if scope.override is None:
            self.semantic_map()
            mapped = self._find(frame)[2]
            if mapped is not None and mapped.label is not None:
                scope = scope.with_label(mapped.label)
        return replace(scope, generating=None) if scope.generating is not None else scope

    def _compose(self, scope: Scope, found: Found) -> Attribution:
        place, at, mapped = found
        label, source = self._label(scope, mapped)
        site = None if place is None or at is None else CallSite(place.function, place.file, at.f_lineno or 0)
        return Attribution(
            label=label,
            label_source=source,
            site=site,
            section_path=scope.section_path,
            user_id=scope.user_id,
            session_id=scope.session_id,
            conversation_id=scope.conversation_id,
            agent=scope.agent,
            workflow=scope.workflow,
            call_type=scope.call_type,
            tags=scope.tags,
            metadata=scope.metadata,
            context=scope.context,
        )

    def _label(self, scope: Scope, mapped: Place | None) -> tuple[str, LabelSource]:
        if scope.override is not None:
            return scope.override, "explicit"
        if mapped is not None and mapped.label is not None:
            return mapped.label, "map"
        if scope.label is not None:
            return scope.label, "inherited"
        if self._default is not None:
            return self._default, "explicit"
        return semconv.UNTRACKED, "none"
