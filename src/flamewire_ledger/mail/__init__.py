"""Mail: what is sent to customers, and the server it is handed to."""
