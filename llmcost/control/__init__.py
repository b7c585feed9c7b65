"""Budgets: what may be spent, and what happens when it is."""

from llmcost.control.admission import FREE, UNPRICED, Admission, Quote
from llmcost.control.budget import Budget, Limits, Thresholds
from llmcost.control.callbacks import CallbackRunner, EnforcementContext
from llmcost.control.composing import ledger_for
from llmcost.control.consulting import Callbacks
from llmcost.control.controller import Controller, series_name
from llmcost.control.fitness import MapModels
from llmcost.control.ledger import Ledger, LedgerFailure, open_ledger
from llmcost.control.money import nano_of_cost, usd_of
from llmcost.control.policy import ALLOWED, Action, Decision, Verdict
from llmcost.control.simulate import PastCall, Replayed, Simulation, enforced, in_order, replay, simulate
from llmcost.control.status import Affordable, Standing
from llmcost.control.tables import budgets_of, check_all

__all__ = [
    "ALLOWED",
    "FREE",
    "UNPRICED",
    "Action",
    "Admission",
    "Affordable",
    "Budget",
    "CallbackRunner",
    "Callbacks",
    "Controller",
    "Decision",
    "EnforcementContext",
    "Ledger",
    "LedgerFailure",
    "Limits",
    "MapModels",
    "PastCall",
    "Quote",
    "Replayed",
    "Simulation",
    "Standing",
    "Thresholds",
    "Verdict",
    "budgets_of",
    "check_all",
    "enforced",
    "in_order",
    "ledger_for",
    "nano_of_cost",
    "open_ledger",
    "replay",
    "series_name",
    "simulate",
    "usd_of",
]
