import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from ..factories import UserFactory

CSV = (
    "megatrend;macrotrend;challenges_and_research_gaps;total_count_of_publications;total_count_of_patents;"
    "technology_readiness_level;impact_strength;steepl;relevant_industries;real_world_application_and_use_cases\n"
)


@pytest.mark.django_db
def test_the_export_of_a_person_names_the_imports_they_started_and_no_others(api):
    ann, ben = (api.as_user(UserFactory(is_staff=True)) for _ in range(2))
    for client, name in ((ann, "hers.csv"), (ben, "his.csv")):
        file = SimpleUploadedFile(name, CSV.encode(), "text/csv")
        assert client.post("/api/v1/trends/imports/", {"file": file}, format="multipart").status_code == 202
    held = ann.get("/api/v1/auth/export/").json()["trends"]["imports"]
    assert [run["name"] for run in held] == ["hers.csv"]
