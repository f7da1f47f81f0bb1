"""``/admin/dashboard/``."""

from django.urls import path

from . import views

urlpatterns = [
    path("health/", views.health, name="dashboard-health"),
    path("queues/", views.queues, name="dashboard-queues"),
    path("jobs/", views.change_jobs, name="dashboard-jobs"),
]
