"""The error for an invalid choice lists the valid choices."""

import pytest

from accounts.models import User

from ..conftest import Client


@pytest.mark.parametrize(
    "call, field, detail",
    [
        ("notes/?state=gone", "state", "“gone” is not one of: active, archived, trashed, all."),
        ("notes/?pinned=perhaps", "pinned", "“perhaps” is not one of: true, false."),
        ("trends/?steepl=T,Q", "steepl", "“Q” is not one of: S, T, E, P, L."),
        ("trends/?technology_readiness_level=%25s", "technology_readiness_level",
         "“%s” is not one of: none, Pilot, Development, Deploy."),
        ("trends/imports/?origin=moon", "origin", "“moon” is not one of: inbox, upload, admin."),
        ("messages/?box=attic", "box", "“attic” is not one of: inbox, sent."),
    ],
)  # fmt: skip
def test_the_error_of_a_filter_lists_the_choices(api: Client, staff: User, call: str, field: str, detail: str) -> None:
    response = api.as_user(staff).get(f"/api/v1/{call}")
    assert response.status_code == 400
    assert response.json()["errors"] == [{"code": "invalid_choice", "detail": detail, "attr": field}]


def test_the_error_of_a_field_lists_the_choices(api: Client, staff: User) -> None:
    trend = {"megatrend": "a", "macrotrend": "b", "steepl": "t", "impact_strength": "High"}
    response = api.as_user(staff).post("/api/v1/trends/", trend)
    assert response.json()["errors"] == [
        {"code": "invalid_choice", "detail": "“t” is not one of: S, T, E, P, L.", "attr": "steepl"}
    ]
