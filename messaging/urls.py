"""``/api/v1/messages/`` and its neighbours."""

from django.urls import URLPattern, URLResolver, path

from . import people_views, views

urlpatterns: list[URLPattern | URLResolver] = [
    path("messages/", views.MessageListView.as_view(), name="messages"),
    path("messages/read/", views.ReadView.as_view(), name="messages-read"),
    path("messages/unread/", views.UnreadView.as_view(), name="messages-unread"),
    path("messages/<int:pk>/", views.MessageView.as_view(), name="message"),
    path("messages/<int:pk>/read/", views.MessageReadView.as_view(), name="message-read"),
    path("messages/<int:pk>/recipients/", views.RecipientListView.as_view(), name="message-recipients"),
    path("conversations/", people_views.ConversationListView.as_view(), name="conversations"),
    path("presence/", people_views.PresenceView.as_view(), name="presence"),
    path("events/", people_views.EventsView.as_view(), name="events"),
    path("blocks/", people_views.BlockListView.as_view(), name="blocks"),
    path("blocks/<str:usercode>/", people_views.BlockView.as_view(), name="block"),
    path("people/<str:usercode>/", people_views.PersonView.as_view(), name="person"),
    path("people/<str:usercode>/picture/", people_views.PictureView.as_view(), name="person-picture"),
]
