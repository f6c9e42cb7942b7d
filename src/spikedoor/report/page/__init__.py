"""Records as one HTML page that needs no network."""

from spikedoor.report.page.board import of_leaderboard
from spikedoor.report.page.content import Content
from spikedoor.report.page.html import page
from spikedoor.report.page.records import of_records
from spikedoor.report.page.study import of_study

__all__ = ["Content", "of_leaderboard", "of_records", "of_study", "page"]
